"""Files made small by a model that predicts them: what it finds likely takes few bits."""
