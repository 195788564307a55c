// SPDX-License-Identifier: Apache-2.0
/// A camera that is waited for: libcamera is started again and again, and finds none.
#include "hal/libcamera/module/backend.hpp"

#include <fcntl.h>
#include <libcamera/logging.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/file.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::hal::libcamera;
namespace fs = std::filesystem;

namespace {

/// Standard error goes into a file as long as it lives.
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

/// What this process writes to standard error during a call.
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

TEST_CASE("libcamera says once that it finds nothing, and keeps nothing of each try") {
  const test::TemporaryFolder folder;
  MemoryLog log;
  auto backend = make_backend();
  const auto look = [&] {
    // The version line, which comes at each start at this level: start_manager() turns it down.
    ::libcamera::logSetLevel("Camera", "INFO");
    const auto cameras = backend->list(log);
    if (!cameras || !cameras->empty()) SKIP("libcamera has a camera here, or does not start");
  };
  CHECK(written(folder.path() / "first", look).contains("libcamera v"));
  CHECK(written(folder.path() / "second", look).empty());
  const auto open = open_descriptors();
  CHECK(written(folder.path() / "many", [&] {
          for (int i = 0; i < 50; ++i) look();
        }).empty());
  CHECK(open_descriptors() == open);
  backend = make_backend();
  CHECK(written(folder.path() / "again", look).contains("libcamera v"));  // control; and it may write again
}
