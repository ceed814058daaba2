"""衔接 Xianjie: the gateway between courts that grant judicial assistance and agencies that give social assistance."""

__version__ = "0.1.0"
