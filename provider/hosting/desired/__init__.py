"""What should exist: one small module or folder a part, all pure. A part's shape is `provider.hosting.catalog.Part`."""
