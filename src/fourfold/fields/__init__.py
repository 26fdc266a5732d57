"""Fields: volumes of density and colour, and drawing them along rays."""

from fourfold.fields.field import Field

__all__ = ["Field"]
