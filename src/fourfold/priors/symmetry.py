"""The unseen side as a mirror image of the seen one."""

from dataclasses import replace

from fourfold.scene import Gaussians


def mirror_front(front: Gaussians) -> Gaussians:
    """Close an object by reflecting its visible side in the plane z = 0 of its own frame.

    Own. Right for what is symmetric left to right and seen from the side (animals, vehicles), tidy
    but wrong for faces and lettering. A reflection turns the rotation about an axis (x, y, z) into
    the one about (-x, -y, z). Differentiable in the Gaussians.
    """
    back = replace(
        front,
        means=front.means * front.means.new_tensor([1.0, 1.0, -1.0]),
        quaternions=front.quaternions * front.quaternions.new_tensor([1.0, -1.0, -1.0, 1.0]),
    )
    return Gaussians.cat([front, back])
