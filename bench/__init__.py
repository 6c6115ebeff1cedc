"""Side by side on one machine: our webhook, raw OPA and a webhook that does nothing. `python -m bench --help`."""
