"""`groundwork demo`: the product's main job on real parts, from an empty folder and back to one."""
