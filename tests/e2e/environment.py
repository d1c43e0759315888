"""What every system of these tests is told, beside what its test is about."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    # Assembled once per checkout, not once per run.
    "MNEMA_MODEL_FOLDER": str(CHECKOUT / "build" / "models"),
    "MNEMA_EXTRACTION__DELAY_SECONDS": "0.1",
    # A machine that is busy with something else gives the same answers, later.
    "MNEMA_RECALL__VECTOR_TIMEOUT_SECONDS": "20",
    "MNEMA_RECALL__GRAPH_TIMEOUT_SECONDS": "20",
    "MNEMA_RECALL__PROFILE_TIMEOUT_SECONDS": "20",
}
