"""A Hugging Face Hub and its endpoint API on the loopback, for huggingface_hub's real client."""
