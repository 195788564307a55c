// SPDX-License-Identifier: Apache-2.0
#include "hal/board/board_data.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>

#include "build_paths.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::hal::board;
namespace fs = std::filesystem;

namespace {

const fs::path boards = fs::path(SEALCAM_SOURCE_DIR) / "board";

void write(const fs::path& file, std::string_view text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

std::string model_of(std::vector<std::string> compatible) {
  return choose(*read_catalog(boards), {std::move(compatible), "", ""}).name;
}

class Environment {
 public:
  explicit Environment(const char* value) { ::setenv("SEALCAM_BOARDS", value, 1); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() { ::unsetenv("SEALCAM_BOARDS"); }
};

}  // namespace

TEST_CASE("a board is identified by the 'compatible' names of its device tree") {
  CHECK(model_of({"raspberrypi,model-zero-2-w", "brcm,bcm2837"}) == "Raspberry Pi Zero 2 W");
  CHECK(model_of({"raspberrypi,3-model-b", "brcm,bcm2837"}) == "Raspberry Pi 3");
  CHECK(model_of({"raspberrypi,3-model-b-plus", "brcm,bcm2837"}) == "Raspberry Pi 3");
  CHECK(model_of({"raspberrypi,4-model-b", "brcm,bcm2711"}) == "Raspberry Pi 4");
  CHECK(model_of({"raspberrypi,5-model-b", "brcm,bcm2712"}) == "Raspberry Pi 5");
  CHECK(model_of({"linux,dummy-virt"}) == "QEMU virt");
  // The name of the processor is not sufficient, because boards with one processor have different lights and buttons.
  CHECK(model_of({"acme,doorbell", "brcm,bcm2711"}) == "unknown board");
  CHECK(model_of({}) == "unknown board");
}

TEST_CASE("the 'compatible' names are read below another root folder") {
  const test::TemporaryFolder folder;
  write(folder.path() / "proc/device-tree/compatible", std::string_view("a,b\0c,d\0", 8));
  write(folder.path() / "proc/device-tree/model", std::string_view("A Board\0", 8));
  write(folder.path() / "proc/sys/kernel/osrelease", "6.12.1\n");
  const auto identity = identify(SystemView(folder.path()));
  CHECK(identity.compatible == std::vector<std::string>{"a,b", "c,d"});
  CHECK(identity.model == "A Board");
  CHECK(identity.kernel == "6.12.1");
  const test::TemporaryFolder nothing;
  CHECK(identify(SystemView(nothing.path())).compatible.empty());
}

TEST_CASE("a catalog with conflicts is rejected") {
  const test::TemporaryFolder folder;
  CHECK(read_catalog(folder.path()).error().contains("0 models for unknown boards"));
  fs::copy(boards / "common", folder.path() / "common");
  CHECK(read_catalog(folder.path()).has_value());  // control
  fs::copy(boards / "common", folder.path() / "again");
  CHECK(read_catalog(folder.path()).error().contains("2 models for unknown boards"));
  fs::remove_all(folder.path() / "again");
  fs::copy(boards / "qemu-virt", folder.path() / "one");
  fs::copy(boards / "qemu-virt", folder.path() / "two");
  CHECK(read_catalog(folder.path()).error().contains("two models are compatible with linux,dummy-virt"));
  write(folder.path() / "two/board.json", R"({"version":1})");
  const auto error = read_catalog(folder.path()).error();
  CHECK(error.contains("two/board.json: /models: is missing"));
}

TEST_CASE("the data is found in $SEALCAM_BOARDS") {
  {
    const Environment named(boards.c_str());
    CHECK(find_catalog() == boards);
  }
  for (const char* wrong : {"board", "/nowhere/boards"}) {
    const Environment named(wrong);
    CHECK(find_catalog().error().contains("SEALCAM_BOARDS"));
  }
}
