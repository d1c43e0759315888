"""Users' data in files: `mnema export`, `mnema import`, and the exports of other systems."""
