"""The screens. They meet the rest of the program only through `calitui.session`."""
