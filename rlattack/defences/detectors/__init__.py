"""Detectors, one a file: each scores how suspicious what a victim receives is; alarms are made of scores."""

from rlattack.defences.detectors.detection import (
    DETECTORS,
    Detection,
    check_detectors,
    check_evaded,
    check_learned,
    detector_name,
    fit_detector,
    make_detection,
    make_detector,
)
from rlattack.defences.detectors.detector import Clean, Detector, DetectorConfig, Look

__all__ = [
    "DETECTORS", "Clean", "Detection", "Detector", "DetectorConfig", "Look", "check_detectors", "check_evaded",
    "check_learned", "detector_name", "fit_detector", "make_detection", "make_detector",
]  # fmt: skip
