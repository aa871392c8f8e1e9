"""The embedded offline default: answers a few phrases without network and key."""
