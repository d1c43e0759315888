"""The demo: `mnema demo`."""
