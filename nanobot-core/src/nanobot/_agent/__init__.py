"""One turn: context, model, tools, transcript. Knows no channel, no command line and no pluggy."""
