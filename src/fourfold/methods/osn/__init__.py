"""The method ``osn``: rigid objects in a monocular video, and every scale that they may have."""
