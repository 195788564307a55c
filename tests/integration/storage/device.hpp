// SPDX-License-Identifier: Apache-2.0
/// One camera's state folder, as the programs use it: what is done to it, and what the next start finds. Each call
/// belongs into a process of its own: a key store is the process's.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

namespace sealcam::test {

/// "roster" -> "2"; what somebody was told, or what a start found.
using Facts = std::map<std::string, std::string>;
/// Tells the facts to the parent process at once, so that they outlive this one.
using Tell = std::function<void(const std::string& what, const std::string& value)>;

/// A camera that has everything: keys of board B1, enrolment, roster 1, command 1 obeyed (name, settings and Wi-Fi
/// "old", privacy off), epochs begun. Throws what fails.
void make_camera(const std::filesystem::path& folder);

/// What is done, and told once it is done. They end early where something fails.
void first_start(const std::filesystem::path& folder, const Tell& tell);
void take_roster(const std::filesystem::path& folder, const Tell& tell);
void begin_epochs(const std::filesystem::path& folder, const Tell& tell);
void obey_command(const std::filesystem::path& folder, const Tell& tell);
void switch_privacy(const std::filesystem::path& folder, const Tell& tell);
void reset(const std::filesystem::path& folder, const Tell& tell);

/// Controls: the same in ways that do not last.
void take_roster_in_place(const std::filesystem::path& folder, const Tell& tell);
void take_roster_without_fsync(const std::filesystem::path& folder, const Tell& tell);
void reset_without_mark(const std::filesystem::path& folder, const Tell& tell);
void begin_epochs_and_store_later(const std::filesystem::path& folder, const Tell& tell);

/// A start: id, roster, name, privacy, settings, wifi, command, epoch; absent parts are "-". "error" alone when the
/// start fails.
void look(const std::filesystem::path& folder, const Tell& tell);

}  // namespace sealcam::test
