// SPDX-License-Identifier: Apache-2.0
// The process that decodes snapshots: its sandbox, its end, and its answers.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "hal/fake/fake_source.hpp"
#include "hal/ffmpeg/converter.hpp"
#include "hub/decoder/decoder.hpp"
#include "support/decoder_probe.hpp"
#include "support/film.hpp"
#include "web_world.hpp"

extern "C" {
#include <libavutil/frame.h>
}

using namespace sealcam;
using namespace sealcam::hub::web::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

fs::path program(const char* name) { return fs::read_symlink("/proc/self/exe").parent_path() / name; }

struct Decoders {
  MemoryLog log;
  hal::modules::MediaModule module{log};
  hub::decoder::DecoderProcesses media;

  explicit Decoders(const char* name, std::chrono::milliseconds timeout = 60s)
      : media(module, program(name), timeout) {}
  Result<Bytes> make(const std::vector<Bytes>& units) {
    const std::vector<ByteView> group(units.begin(), units.end());
    return media.open_still_builder().value()->make(group);
  }
  /// Lets the probe do one action. Returns its answer without the start of a JPEG.
  Result<std::string> probe(const std::string& action) {
    const auto unit = as_bytes(action);
    const auto jpeg = make({Bytes(unit.begin(), unit.end())});
    if (!jpeg) return std::unexpected(jpeg.error());
    return std::string(as_text(ByteView(*jpeg).subspan(2)));
  }
};

std::string content(const fs::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The child process of this process that is in its sandbox; 0 without one.
pid_t sandboxed_child() {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (!std::ranges::all_of(name, [](unsigned char c) { return std::isdigit(c) != 0; })) continue;
    const auto status = content(entry.path() / "status");
    if (status.contains("\nPPid:\t" + std::to_string(::getpid()) + "\n") && status.contains("\nSeccomp:\t2\n"))
      return static_cast<pid_t>(std::stol(name));
  }
  return 0;
}

pid_t await_child() {
  for (int i = 0; i < 1000; ++i) {
    if (const auto pid = sandboxed_child(); pid != 0) return pid;
    std::this_thread::sleep_for(10ms);
  }
  return 0;
}

/// The mark in the picture of a JPEG of 320x240.
std::optional<hal::fake::PictureMark> mark_of(const Bytes& jpeg) {
  auto converter = hal::ffmpeg::Converter::open({320, 240}, hal::PixelFormat::yu12).value();
  hal::Picture compressed;
  compressed.format = hal::PixelFormat::mjpeg;
  compressed.size = {320, 240};
  compressed.planes[0] = {jpeg.data(), jpeg.size()};
  const AVFrame* const frame = converter.convert(compressed).value();
  hal::Picture picture;
  for (std::size_t i = 0; i < 3; ++i)
    picture.planes[i] = {reinterpret_cast<const std::byte*>(frame->data[i]),
                         static_cast<std::size_t>(frame->linesize[i])};
  picture.size = {320, 240};
  return hal::fake::read_mark(picture);
}

}  // namespace

TEST_CASE("a still of the decoder process is the last picture of its group") {
  Decoders hub("sealcam-hub");
  const auto units = sealcam::test::film(12, 6);
  const std::vector<Bytes> group(units.begin() + 6, units.begin() + 10);
  const auto made = hub.make(group);
  REQUIRE(made);
  CHECK(mark_of(*made) == hal::fake::PictureMark{FrameNumber(9), 3});
  CHECK(hub.make({units[1]}).error().code == Errc::malformed);  // no key frame
  CHECK(hub.make({}).error().code == Errc::malformed);
  CHECK(hub.make(group));
}

TEST_CASE("the decoder has no file except its socket, and no way to more") {
  Decoders probes("decoder_probe");
  auto waiting = std::async(std::launch::async, [&] { return probes.probe("wait"); });
  const auto pid = await_child();
  REQUIRE(pid != 0);
  const auto folder = fs::path("/proc") / std::to_string(pid);
  std::vector<std::string> files;
  for (const auto& file : fs::directory_iterator(folder / "fd"))
    files.push_back(file.path().filename().string() + " " + fs::read_symlink(file.path()).string());
  REQUIRE(files.size() == 1);
  CHECK(files[0].starts_with("0 socket:"));
  CHECK(content(folder / "status").contains("\nNoNewPrivs:\t1\n"));
  const auto limits = content(folder / "limits");
  const auto limit = [&](const std::string& name) {
    std::istringstream line(limits.substr(limits.find(name) + name.size()));
    std::string soft;
    line >> soft;
    return soft;
  };
  CHECK(limit("Max open files") == "1");
  CHECK(limit("Max core file size") == "0");
  CHECK(limit("Max file size") == "0");
  CHECK(limit("Max processes") == "0");
  CHECK(limit("Max cpu time") == "4");
  ::kill(pid, SIGKILL);
  CHECK(waiting.get().error().code == Errc::io);
}

TEST_CASE("the decoder cannot open files and sockets, reach processes, or run code of its own") {
  Decoders probes("decoder_probe");
  for (const auto& [name, action] : sealcam::test::forbidden_actions()) {
    INFO(name);
    CHECK(action() == 0);  // control: this process can
    CHECK(probes.probe(name) == std::to_string(EPERM));
  }
}

TEST_CASE("the sandbox includes threads that the decoder's libraries started before") {
  Decoders probes("decoder_probe");
  CHECK(probes.probe("an earlier thread") == std::to_string(EPERM));
}

TEST_CASE("the decoder does not receive the environment of the hub") {
  ::setenv("SEALCAM_TEST_SECRET", "secret", 1);
  Decoders probes("decoder_probe");
  const auto variables = probes.probe("environment");
  ::unsetenv("SEALCAM_TEST_SECRET");
  REQUIRE(variables);
  CHECK_FALSE(variables->contains("SEALCAM_TEST_SECRET"));
  CHECK_FALSE(variables->contains("HOME="));
}

TEST_CASE("if memory is short, the kernel ends the decoder before the hub") {
  std::string own;
  std::ifstream("/proc/self/oom_score_adj") >> own;
  CHECK(own != "1000");  // control
  // Some containers do not let a process set its own value. Writing the value that it has needs no right.
  if (!std::ofstream("/proc/self/oom_score_adj").write(own.data(), std::ssize(own)).flush())
    SKIP("a process cannot set its oom_score_adj here");
  Decoders probes("decoder_probe");
  const auto priority = probes.probe("memory priority");
  CHECK((priority ? *priority : to_string(priority.error())) == "1000");  // the first to end, proc_pid_oom_score_adj(5)
}

TEST_CASE("a decoder that crashes, ends or takes too long fails one still only, and leaves no process") {
  Decoders probes("decoder_probe"), slow("decoder_probe", 300ms);
  for (const auto* action : {"crash", "exit"}) {
    CHECK(probes.probe(action).error().code == Errc::io);
    CHECK(probes.probe("next") == "next");
  }
  for (const auto* action : {"spin", "wait"}) CHECK(slow.probe(action).error().code == Errc::io);
  CHECK(probes.probe("next") == "next");
  CHECK(sandboxed_child() == 0);
  CHECK(Decoders("no_such_program").probe("next").error().code == Errc::io);
}

TEST_CASE("a decoder without memory fails its still") {
  Decoders probes("decoder_probe");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(probes.probe("memory").error().code == Errc::no_memory);
#endif
  CHECK(probes.probe("throw").error().code == Errc::no_memory);
}

TEST_CASE("answers of a decoder that a camera controls are limited") {
  Decoders probes("decoder_probe");
  for (const auto* action : {"malformed", "an error of another kind", "no picture", "large"}) {
    INFO(action);
    CHECK(probes.probe(action).error().code == Errc::malformed);
  }
  std::vector<Bytes> group(2, Bytes(5U << 20));
  CHECK(probes.make(group).error().code == Errc::malformed);
}

TEST_CASE("snapshots of other cameras continue while the pictures of one camera stop decoders") {
  Decoders slow("decoder_probe", 5s);
  World w(&slow.media);
  std::array<std::byte, DeviceId::size> bytes{};
  bytes[0] = std::byte{1};
  const DeviceId other(bytes);
  w.on_network([&] {
    auto camera = FakeWebBackend::one_camera();
    camera.id = other;
    camera.name = "Yard";
    w.backend.known.push_back(camera);
  });
  // The newest picture is then the answer, without a wait for another one.
  const auto watch_all = [&] {
    w.on_network([&] {
      for (auto& known : w.backend.known) known.watched = true;
    });
  };
  watch_all();
  const auto request = [&](const DeviceId& camera) {
    return std::async(std::launch::async,
                      [&w, camera] { return http(w, get("/snapshot/" + camera.to_string() + ".jpg")); });
  };
  w.show_live(protocol::FrameKind::key, 1, as_bytes(std::string("spin")));
  auto hostile = request(DeviceId());
  REQUIRE(await_child() != 0);
  w.show_live(protocol::FrameKind::key, 2, as_bytes(std::string("good")));
  watch_all();
  CHECK(request(other).get().ends_with("good"));
  CHECK(hostile.get().starts_with("HTTP/1.1 503"));
  // No more decoders for this camera for a while.
  watch_all();
  const auto again = http(w, get("/snapshot/" + DeviceId().to_string() + ".jpg"));
  CHECK(again.contains("The decoder failed with the pictures"));
  w.advance(11s);
  w.show_live(protocol::FrameKind::key, 3, as_bytes(std::string("good")));
  watch_all();
  CHECK(http(w, get("/snapshot/" + DeviceId().to_string() + ".jpg")).ends_with("good"));
}
