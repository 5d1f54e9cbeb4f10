"""Dagster definitions, one file per stage. Thin: they call the domain folders and report what these return."""

import warnings

import dagster as dg

# What is used of these is pinned and covered by tests; without this every process start prints a page of warnings.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
