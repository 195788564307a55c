// SPDX-License-Identifier: Apache-2.0
#include "owner/commands.hpp"
namespace sealcam::owner {
void add_watch_command(CLI::App&, Context&) {}
void add_inspect_command(CLI::App&, Context&) {}
}  // namespace sealcam::owner
