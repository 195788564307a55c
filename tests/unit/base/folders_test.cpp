// SPDX-License-Identifier: Apache-2.0
#include "base/file.hpp"

#include <pwd.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <optional>
#include <string>

using namespace sealcam;

namespace {

/// Sets or removes an environment variable. The destructor restores it.
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

TEST_CASE("a service uses the first folder of systemd's list") {
  const Variable config("CONFIGURATION_DIRECTORY", "/etc/sealcam:/etc/other");
  const Variable state("STATE_DIRECTORY", "/var/lib/sealcam/camera");
  const Variable xdg("XDG_STATE_HOME", "/x");
  CHECK(configuration_folder() == "/etc/sealcam");
  CHECK(state_folder("camera") == "/var/lib/sealcam/camera");
}

TEST_CASE("without a usable HOME, a user gets the folders of the home in passwd, or an error") {
  const Variable config("CONFIGURATION_DIRECTORY", nullptr);
  const Variable state("STATE_DIRECTORY", nullptr);
  const Variable xdg_state("XDG_STATE_HOME", nullptr);
  const passwd* const user = ::getpwuid(::geteuid());
  REQUIRE(user != nullptr);
  const std::filesystem::path home = user->pw_dir;
  for (const char* odd : {static_cast<const char*>(nullptr), "", "relative", "/", "//", "/.", "/home/.."}) {
    CAPTURE(odd == nullptr ? "none" : odd);
    const Variable variable("HOME", odd);
    if (home.is_absolute() && home != "/" && std::filesystem::is_directory(home))
      CHECK(state_folder("account") == home / ".local/state/sealcam/account");
    else CHECK_THROWS_AS(state_folder("account"), std::invalid_argument);
    const Variable xdg("XDG_STATE_HOME", "/x");
    CHECK(state_folder("account") == "/x/sealcam/account");
  }
}

TEST_CASE("a user gets the folders of XDG, and relative paths are ignored") {
  const Variable config("CONFIGURATION_DIRECTORY", nullptr);
  const Variable state("STATE_DIRECTORY", nullptr);
  const Variable home("HOME", "/home/u");
  const Variable xdg_config("XDG_CONFIG_HOME", "/c");
  const Variable xdg_state("XDG_STATE_HOME", "relative");
  CHECK(configuration_folder() == "/c/sealcam");
  CHECK(state_folder("hub") == "/home/u/.local/state/sealcam/hub");
}
