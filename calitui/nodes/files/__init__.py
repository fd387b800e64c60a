"""Nodes as somebody saved them to files: a folder or tarball as `calicoctl cluster diags` writes it, or pasted text.

Nothing is unpacked to disk, no link is followed, and what no grammar covers is kept and said.
"""

from calitui.nodes.files.bundle import Bundle, File, is_archive, open_bundle
from calitui.nodes.files.layout import is_node_file
from calitui.nodes.files.saved import node_folders, read_node

__all__ = ["Bundle", "File", "is_archive", "is_node_file", "node_folders", "open_bundle", "read_node"]
