// SPDX-License-Identifier: Apache-2.0
// A source for the targets that exist only to make a precompiled header.
int main() {}
