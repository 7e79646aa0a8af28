"""Names of Arm cores: Arm hosts report numbers, not names.

The numbers are those of the MIDR register, as in Linux's `arch/arm64/include/asm/cputype.h`.
"""

__all__ = ["arm_processor"]

IMPLEMENTERS = {
    "0x41": "ARM", "0x42": "Broadcom", "0x43": "Cavium", "0x46": "Fujitsu", "0x48": "HiSilicon", "0x4e": "NVIDIA",
    "0x51": "Qualcomm", "0x53": "Samsung", "0x61": "Apple", "0x6d": "Microsoft", "0xc0": "Ampere",
}  # fmt: skip
PARTS = {
    ("0x41", "0xb76"): "ARM1176", ("0x41", "0xc07"): "Cortex-A7", ("0x41", "0xc08"): "Cortex-A8",
    ("0x41", "0xc09"): "Cortex-A9", ("0x41", "0xc0f"): "Cortex-A15", ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd04"): "Cortex-A35", ("0x41", "0xd05"): "Cortex-A55", ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72", ("0x41", "0xd09"): "Cortex-A73", ("0x41", "0xd0a"): "Cortex-A75",
    ("0x41", "0xd0b"): "Cortex-A76", ("0x41", "0xd0c"): "Neoverse-N1", ("0x41", "0xd0d"): "Cortex-A77",
    ("0x41", "0xd40"): "Neoverse-V1", ("0x41", "0xd41"): "Cortex-A78", ("0x41", "0xd42"): "Cortex-A78AE",
    ("0x41", "0xd44"): "Cortex-X1", ("0x41", "0xd46"): "Cortex-A510", ("0x41", "0xd47"): "Cortex-A710",
    ("0x41", "0xd48"): "Cortex-X2", ("0x41", "0xd49"): "Neoverse-N2", ("0x41", "0xd4d"): "Cortex-A715",
    ("0x41", "0xd4e"): "Cortex-X3", ("0x41", "0xd4f"): "Neoverse-V2", ("0x41", "0xd80"): "Cortex-A520",
    ("0x41", "0xd81"): "Cortex-A720", ("0x41", "0xd82"): "Cortex-X4", ("0x46", "0x001"): "A64FX",
    ("0x4e", "0x004"): "Carmel", ("0x61", "0x022"): "M1 Icestorm", ("0x61", "0x023"): "M1 Firestorm",
    ("0xc0", "0xac3"): "Ampere-1",
}  # fmt: skip


def arm_processor(implementer: str, part: str) -> str:
    """Name of a core, for example `Cortex-A72`; its numbers where the name is not known, empty without numbers."""
    if not implementer or not part:
        return ""
    maker = IMPLEMENTERS.get(implementer.lower(), f"implementer {implementer}")
    return PARTS.get((implementer.lower(), part.lower()), f"{maker} part {part}")
