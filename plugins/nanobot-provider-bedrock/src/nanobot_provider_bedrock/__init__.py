"""Models on Amazon Bedrock, through the Converse API."""
