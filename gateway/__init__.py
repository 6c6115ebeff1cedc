"""The door for calls of models: the same shape as `webhook`."""
