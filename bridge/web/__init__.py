"""What the bridge answers over HTTP: one module per door."""
