// SPDX-License-Identifier: Apache-2.0
/// Actions on the state folder of a camera, and the state that the next start finds. Each call needs its own process,
/// because a process has one key store.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

namespace sealcam::test {

/// Facts that an action reported or that a start found, for example "roster" -> "2".
using Facts = std::map<std::string, std::string>;
/// Reports a fact to the parent process immediately, so that it is not lost if this process is killed.
using Tell = std::function<void(const std::string& name, const std::string& value)>;

/// Creates a camera with keys of board B1, an enrollment, roster 1, the applied command 1 (name, settings and Wi-Fi
/// "old", privacy off) and an epoch. Throws on failure.
void make_camera(const std::filesystem::path& folder);

/// Actions. Each one reports its facts after it succeeded, and ends early on failure.
void first_start(const std::filesystem::path& folder, const Tell& tell);
void take_roster(const std::filesystem::path& folder, const Tell& tell);
void begin_epochs(const std::filesystem::path& folder, const Tell& tell);
void apply_command(const std::filesystem::path& folder, const Tell& tell);
void switch_privacy(const std::filesystem::path& folder, const Tell& tell);
void take_hub_key(const std::filesystem::path& folder, const Tell& tell);
void reset(const std::filesystem::path& folder, const Tell& tell);
/// Stores four rosters, commands that switch privacy, and blocks of epoch counters while the disk is full. `prepared`:
/// the space of the files was reserved before.
void change_all_on_a_full_disk(const std::filesystem::path& folder, const Tell& tell, bool prepared);
void reset_on_a_full_disk(const std::filesystem::path& folder, const Tell& tell);

/// Controls: the same actions without protection against faults.
void take_roster_in_place(const std::filesystem::path& folder, const Tell& tell);
void take_roster_without_fsync(const std::filesystem::path& folder, const Tell& tell);
void reset_without_mark(const std::filesystem::path& folder, const Tell& tell);
void begin_epochs_and_store_later(const std::filesystem::path& folder, const Tell& tell);

/// Starts and reports id, roster, name, privacy, settings, wifi, command and epoch. A missing part is "-". A failed
/// start reports only "error".
void look(const std::filesystem::path& folder, const Tell& tell);

}  // namespace sealcam::test
