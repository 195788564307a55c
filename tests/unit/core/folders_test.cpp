// SPDX-License-Identifier: Apache-2.0
#include "core/folders.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <optional>
#include <string>

using namespace sealcam;

namespace {

/// Sets or removes a variable, and puts it back.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    if (value != nullptr) ::setenv(name, value, 1);
    else ::unsetenv(name);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() {
    if (old_) ::setenv(name_, old_->c_str(), 1);
    else ::unsetenv(name_);
  }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

}  // namespace

TEST_CASE("a service's folders are systemd's, the first of a list") {
  const Variable config("CONFIGURATION_DIRECTORY", "/etc/sealcam:/etc/other");
  const Variable state("STATE_DIRECTORY", "/var/lib/sealcam/camera");
  const Variable xdg("XDG_STATE_HOME", "/x");
  CHECK(configuration_folder() == "/etc/sealcam");
  CHECK(state_folder("camera") == "/var/lib/sealcam/camera");
}

TEST_CASE("a user's folders follow XDG, relative ones are ignored") {
  const Variable config("CONFIGURATION_DIRECTORY", nullptr);
  const Variable state("STATE_DIRECTORY", nullptr);
  const Variable home("HOME", "/home/u");
  const Variable xdg_config("XDG_CONFIG_HOME", "/c");
  const Variable xdg_state("XDG_STATE_HOME", "relative");
  CHECK(configuration_folder() == "/c/sealcam");
  CHECK(state_folder("hub") == "/home/u/.local/state/sealcam/hub");
}
