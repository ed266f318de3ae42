"""From files to batches; nothing here knows of networks."""
