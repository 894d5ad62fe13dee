"""Certificates: proven bounds of what a policy does wherever an attack may take what it sees, and of what it earns."""

from typing import TYPE_CHECKING

from rlattack.registry import lazily

if TYPE_CHECKING:
    from rlattack.defences.certificates.certifier import Certifier, values
    from rlattack.defences.certificates.chains import chain
    from rlattack.defences.certificates.region import Region

__all__ = ["Certifier", "Region", "chain", "values"]

__getattr__ = lazily(__name__, certifier="Certifier values", chains="chain", region="Region")
