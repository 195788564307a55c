# SPDX-License-Identifier: Apache-2.0
"""A second implementation of sealcam/1, written only from firmware/protocol/README.md and sealcam.cddl, with another crypto library."""
