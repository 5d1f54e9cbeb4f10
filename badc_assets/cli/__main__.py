"""`python -m badc_assets.cli`: the same as `badc`."""

from badc_assets.cli.main import main

main()
