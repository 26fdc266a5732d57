"""Plots with axes on a Pillow image: what the pictures of scale sets are drawn with.

Own. Everything is drawn twice as large and shrunk at the end, which smooths all edges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]
Range = tuple[float, float]

PAPER: Color = (255, 255, 255)
INK: Color = (40, 44, 52)
FAINT: Color = (120, 128, 140)
RULE: Color = (226, 230, 236)
_OVERSAMPLING = 2
_TICK_LENGTH, _FONT_SIZE = 4, 12
# Pixels between ticks, about; so many fit even a small axis.
_TICK_GAP, _LEAST_TICKS = 60.0, 3.5


class Canvas:
    """A white sheet of `width` x `height` pixels to draw on."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.image = Image.new("RGB", (width * _OVERSAMPLING, height * _OVERSAMPLING), PAPER)
        self.draw = ImageDraw.Draw(self.image)

    def finished(self) -> Image.Image:
        """Give the sheet in its own size."""
        return self.image.resize(self.size, Image.Resampling.LANCZOS)

    def line(self, points: Sequence[tuple[float, float]], color: Color, width: float = 1.0) -> None:
        """Draw a line through points (x, y), in pixels."""
        scaled = [(x * _OVERSAMPLING, y * _OVERSAMPLING) for x, y in points]
        self.draw.line(scaled, color, round(width * _OVERSAMPLING), joint="curve")

    def box(self, box: tuple[float, float, float, float], fill: Color | None, edge: Color | None):
        """Draw a rectangle (left, top, right, bottom)."""
        scaled = tuple(round(edge * _OVERSAMPLING) for edge in box)
        self.draw.rectangle(scaled, fill, edge, _OVERSAMPLING)

    def dot(self, x: float, y: float, radius: float, fill: Color, edge: Color = PAPER) -> None:
        """Draw a disc with a thin edge."""
        x, y, r = (value * _OVERSAMPLING for value in (x, y, radius))
        self.draw.ellipse((x - r, y - r, x + r, y + r), fill, edge, _OVERSAMPLING // 2)

    def text(
        self, x: float, y: float, text: str, color: Color = INK, size: int = _FONT_SIZE,
        anchor: str = "lm",
    ) -> float:  # fmt: skip
        """Write text, anchored as Pillow names it, and give its width."""
        font = ImageFont.load_default(size * _OVERSAMPLING)
        self.draw.text((x * _OVERSAMPLING, y * _OVERSAMPLING), text, color, font, anchor=anchor)
        return font.getlength(text) / _OVERSAMPLING

    def paste(self, pixels: np.ndarray, left: float, top: float, width: float, height: float):
        """Lay an image (H,W,3) uint8 into a rectangle."""
        size = (round(width * _OVERSAMPLING), round(height * _OVERSAMPLING))
        scaled = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
        self.image.paste(scaled, (round(left * _OVERSAMPLING), round(top * _OVERSAMPLING)))


@dataclass(frozen=True)
class Panel:
    """A rectangle of a canvas with axes: `x` and `y` are the ranges of its values."""

    canvas: Canvas
    left: float
    top: float
    width: float
    height: float
    x: Range
    y: Range

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Give where a value is on the canvas."""
        u = (x - self.x[0]) / (self.x[1] - self.x[0])
        v = (y - self.y[0]) / (self.y[1] - self.y[0])
        return self.left + u * self.width, self.top + (1.0 - v) * self.height

    def curve(self, x: Sequence[float], y: Sequence[float], color: Color, width: float) -> None:
        """Draw a line through values."""
        self.canvas.line([self.place(*point) for point in zip(x, y, strict=True)], color, width)

    def fill(self, pixels: np.ndarray) -> None:
        """Lay an image (H,W,3) uint8 over the panel, its first row at the top."""
        self.canvas.paste(pixels, self.left, self.top, self.width, self.height)

    def outline(self, mask: np.ndarray, color: Color, width: float) -> None:
        """Draw the outline of a mask (H,W) that covers the panel, first row at the top."""
        sharp = cv2.resize(
            mask.astype(np.float32), None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR
        )
        # a margin closes outlines that run along the edge
        padded = np.pad((sharp > 0.5).astype(np.uint8), 1)
        found, _ = cv2.findContours(padded, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        steps = self.width / sharp.shape[1], self.height / sharp.shape[0]
        for contour in found:
            ring = [(self.left + (p[0] - 0.5) * steps[0], self.top + (p[1] - 0.5) * steps[1])
                    for p in contour[:, 0].tolist()]  # fmt: skip
            if len(ring) > 2:
                self.canvas.line([*ring, ring[0]], color, width)

    def frame(
        self, x_name: str = "", y_name: str = "", x_ticks: bool = True, y_ticks: bool = True,
        rules: bool = True,
    ) -> None:  # fmt: skip
        """Draw the axes: a frame, ticks with their values, faint lines across, names."""
        right, bottom = self.left + self.width, self.top + self.height
        for tick in ticks(self.x, self.width) if x_ticks else ():
            x, _ = self.place(tick, self.y[0])
            if rules:
                self.canvas.line([(x, self.top), (x, bottom)], RULE, 0.5)
            self.canvas.line([(x, bottom), (x, bottom + _TICK_LENGTH)], INK)
            self.canvas.text(x, bottom + _TICK_LENGTH + 3, f"{tick:g}", FAINT, 11, "ma")
        for tick in ticks(self.y, self.height) if y_ticks else ():
            _, y = self.place(self.x[0], tick)
            if rules:
                self.canvas.line([(self.left, y), (right, y)], RULE, 0.5)
            self.canvas.line([(self.left - _TICK_LENGTH, y), (self.left, y)], INK)
            self.canvas.text(self.left - _TICK_LENGTH - 3, y, f"{tick:g}", FAINT, 11, "rm")
        self.canvas.box((self.left, self.top, right, bottom), None, INK)
        if x_name:
            self.canvas.text(self.left + self.width / 2, bottom + 32, x_name, INK, 13, "mm")
        if y_name:
            self.canvas.text(self.left, self.top - 10, y_name, INK, 13, "lm")


def ticks(values: Range, length: float) -> list[float]:
    """Give round values across an axis of `length` pixels.

    >>> ticks((0.3, 1.7), 200), ticks((0.31, 1.12), 120)
    ([0.5, 1.0, 1.5], [0.5, 1.0])
    """
    low, high = values
    wanted = (high - low) / max(length / _TICK_GAP, _LEAST_TICKS)
    power = 10.0 ** math.floor(math.log10(wanted))
    step = next(nice * power for nice in (1.0, 2.0, 5.0, 10.0) if nice * power >= 0.999 * wanted)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(step * index, 10) for index in range(first, last + 1)]


def mix(one: Color, other: Color, share: np.ndarray) -> np.ndarray:
    """Blend two colours (…,3) uint8 by a share in [0, 1] of the other."""
    weight = np.clip(share, 0.0, 1.0)[..., None]
    return np.round(np.array(one) * (1.0 - weight) + np.array(other) * weight).astype(np.uint8)
