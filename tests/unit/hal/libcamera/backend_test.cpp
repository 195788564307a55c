// SPDX-License-Identifier: Apache-2.0
/// The search for a missing camera: libcamera starts several times and finds no camera.
#include "hal/module_backends.hpp"

#include <fcntl.h>
#include <libcamera/logging.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/file.hpp"
#include "base/testing/fakes.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::hal::libcamera;
namespace fs = std::filesystem;

namespace {

/// Redirects standard error into a file until destruction.
class Redirected {
 public:
  explicit Redirected(const fs::path& file) : before_(::dup(STDERR_FILENO)) {
    const UniqueFd to(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    ::dup2(to.get(), STDERR_FILENO);
  }
  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;
  ~Redirected() { ::dup2(before_.get(), STDERR_FILENO); }

 private:
  UniqueFd before_;
};

/// Returns the text that this process writes to standard error during a call.
template <class Call>
std::string written(const fs::path& file, Call call) {
  {
    const Redirected redirected(file);
    call();
  }
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

auto open_descriptors() { return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()); }

}  // namespace

TEST_CASE("libcamera logs once that it finds no camera, and its memory does not grow with each try") {
  const test::TemporaryFolder folder;
  MemoryLog log;
  auto backend = make_backend();
  const auto look = [&] {
    // At this level libcamera logs its version at each start. start_manager() suppresses that.
    ::libcamera::logSetLevel("Camera", "INFO");
    const auto cameras = backend->list(log);
    if (!cameras || !cameras->empty()) SKIP("this machine has a camera, or libcamera does not start");
  };
  CHECK(written(folder.path() / "first", look).contains("libcamera v"));
  CHECK(written(folder.path() / "second", look).empty());
  const auto open = open_descriptors();
  CHECK(written(folder.path() / "many", [&] {
          for (int i = 0; i < 50; ++i) look();
        }).empty());
  CHECK(open_descriptors() == open);
  backend = make_backend();
  CHECK(written(folder.path() / "again", look).contains("libcamera v"));  // control: libcamera can log again
}
