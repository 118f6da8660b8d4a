"""The four special tokens that every vocabulary holds, and their ids."""

PAD_ID = 0
UNKNOWN_ID = 1
BOS_ID = 2
EOS_ID = 3
