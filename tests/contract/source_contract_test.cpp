// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/log.hpp"
#include "base/testing/fakes.hpp"
#include "contract/source_contract.hpp"
#include "hal/fake/fake_source.hpp"
#include "hal/modules/modules.hpp"
#include "hal/testing/scripted_source.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

const std::filesystem::path vtest = "/usr/share/doc/opencv-doc/examples/data/vtest.avi";

void need_vtest() {
  if (!std::filesystem::exists(vtest)) SKIP("vtest.avi is missing; install the package opencv-doc");
}

/// A ScriptedSource with its own fake source.
class OwnScripted final : public FrameSource {
 public:
  explicit OwnScripted(std::unique_ptr<FrameSource> inner)
      : inner_(std::move(inner)), scripted_(*inner_, {testing::Step::pictures(5)}) {}

 private:
  Result<Picture> do_next(std::chrono::milliseconds timeout) override { return scripted_.next(timeout); }
  Size do_size() const override { return scripted_.size(); }
  PixelFormat do_format() const override { return scripted_.format(); }
  double do_rate() const override { return scripted_.rate(); }
  std::string do_describe() const override { return scripted_.describe(); }

  std::unique_ptr<FrameSource> inner_;
  testing::ScriptedSource scripted_;
};

SourceUnderTest recording(replay::ReplayConfig config, Log& log) {
  const bool realtime = config.realtime;
  return {.open = [config, &log](const Clock& clock) { return modules::open_replay(config, clock, log); },
          .realtime = realtime};
}

}  // namespace

TEST_CASE("the fake source in real time fulfills the contract") {
  check_source_contract(
      {.open = [](const Clock& clock) { return fake::FakeSource::open({.size = {640, 360}, .rate = 60}, clock); }});
}

TEST_CASE("the fake source without real time fulfills the contract") {
  check_source_contract(
      {.open =
           [](const Clock& clock) { return fake::FakeSource::open({.size = {640, 360}, .realtime = false}, clock); },
       .realtime = false});
}

TEST_CASE("a scripted source without faults fulfills the contract") {
  check_source_contract({.open = [](const Clock& clock) -> Result<std::unique_ptr<FrameSource>> {
                           auto inner = fake::FakeSource::open({.size = {320, 240}, .realtime = false}, clock);
                           if (!inner) return std::unexpected(inner.error());
                           return std::make_unique<OwnScripted>(std::move(*inner));
                         },
                         .realtime = false});
}

TEST_CASE("a replay in real time fulfills the contract") {
  need_vtest();
  MemoryLog log;
  check_source_contract(recording({.file = vtest, .size = {640, 360}, .rate = 60}, log));
}

TEST_CASE("a replay without real time fulfills the contract") {
  need_vtest();
  MemoryLog log;
  check_source_contract(recording({.file = vtest, .size = {320, 240}, .realtime = false}, log));
}

TEST_CASE("a replay uses the rate of the file unless a rate is configured") {
  need_vtest();
  MemoryLog log;
  const SystemClock clock;
  CHECK(modules::open_replay({.file = vtest, .size = {320, 240}}, clock, log).value()->rate() == 10);
  CHECK(modules::open_replay({.file = vtest, .size = {320, 240}, .rate = 30}, clock, log).value()->rate() == 30);
}

TEST_CASE("a replay ends with the file, or repeats it") {
  need_vtest();
  MemoryLog log;
  const SystemClock clock;
  replay::ReplayConfig config{.file = vtest, .size = {64, 48}, .loop = false, .realtime = false};
  const auto once = modules::open_replay(config, clock, log).value();
  std::uint32_t pictures = 0;
  auto last = once->next(2000ms);
  for (; last; last = once->next(2000ms)) ++pictures;
  CHECK(last.error().code == Errc::end_of_stream);
  CHECK(once->next(2000ms).error().code == Errc::end_of_stream);
  CHECK(pictures >= 790);
  CHECK(pictures <= 795);

  config.loop = true;
  const auto again = modules::open_replay(config, clock, log).value();
  for (std::uint32_t i = 0; i < 2 * pictures + 10; ++i) {
    const auto picture = again->next(2000ms);
    REQUIRE(picture);
    REQUIRE(picture->number == FrameNumber(i));
  }
}

TEST_CASE("a replay reports why it cannot use a file") {
  MemoryLog log;
  const SystemClock clock;
  const TemporaryFolder folder;
  const auto code = [&](const replay::ReplayConfig& config) {
    const auto r = modules::open_replay(config, clock, log);
    return r ? std::optional<Errc>() : r.error().code;
  };
  CHECK(code({.file = folder.path() / "missing.avi"}) == Errc::not_found);
  CHECK(log.contains("missing.avi"));
  std::ofstream(folder.path() / "text.avi") << "this is not a recording";
  CHECK(code({.file = folder.path() / "text.avi"}) == Errc::malformed);
  CHECK(code({.file = vtest, .size = {33, 48}}) == Errc::invalid_argument);
  CHECK(code({.file = vtest, .rate = -1}) == Errc::invalid_argument);
}

TEST_CASE("a file that is not the replay module is rejected with its name") {
  // $SEALCAM_MODULE_PATH comes first: a broken file there must be an error.
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "sealcam-replay.so") << "no module";
  ::setenv("SEALCAM_MODULE_PATH", folder.path().c_str(), 1);
  MemoryLog log;
  const SystemClock clock;
  const auto source = modules::open_replay({.file = vtest}, clock, log);
  ::unsetenv("SEALCAM_MODULE_PATH");
  REQUIRE_FALSE(source);
  CHECK(source.error().code == Errc::unsupported);
  CHECK(log.contains(folder.path().string()));
}
