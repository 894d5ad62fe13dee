"""The two-player MuJoCo games of Bansal et al. 2018. Importing this imports no mujoco."""

__all__: list[str] = []
