"""Field recordings in, checked detections and reports out, as a graph of Dagster assets."""
