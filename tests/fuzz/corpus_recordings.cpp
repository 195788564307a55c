// SPDX-License-Identifier: Apache-2.0
// Seeds for files with recordings. The headers with signatures are made by the fuzzer.
#include "corpus_parts.hpp"
#include "crypto/cbor.hpp"
#include "recordings/format.hpp"

namespace sealcam::fuzz {

void recording_seeds(Seeds& seeds) {
  constexpr auto fuzzer = "recording_fuzz";
  seeds.put(fuzzer, "empty", {0}, "");
  seeds.put(fuzzer, "zeros", {0}, Bytes(300));
  seeds.put(fuzzer, "header-only", {1}, "");
  const auto mark =
      recordings::encode_mark({std::chrono::seconds(1'790'000'000)}, std::array<std::uint64_t, 2>{5, UINT32_MAX});
  seeds.put(fuzzer, "mark", {1}, mark);
  // A mark, a key frame and two deltas, in two groups.
  seeds.put(fuzzer, "groups",
            {2, 64, 0, 6, 92, 3, 4, 5, 6, 7, 128, 1, 1, 129, 1, 129, 1, 65, 0, 6, 92, 3, 4, 5, 7, 7, 132}, "");
  crypto::CborWriter receipt;
  receipt.map(10).integer(1).integer(1).integer(2).integer(7).integer(3).integer(0).integer(4).integer(9);
  receipt.integer(5).array(1).array(2).integer(3).integer(2).integer(6).array(1).array(2).integer(8).integer(1);
  receipt.integer(7).array(1).array(3).integer(1000).integer(1'790'000'000'000'000).bytes(Bytes(32));
  receipt.integer(8).bytes(Bytes(32)).integer(9).integer(1'790'000'000'000'001).integer(10).integer(1);
  seeds.put(fuzzer, "receipt", {3}, receipt.view());
  seeds.put("past_store_fuzz", "frames", {1, 90, 1, 2, 91, 3, 92, 4}, "");
  seeds.put("past_store_fuzz", "torn", {1, 90, 1, 2, 91, 3, 92, 4, 5, 6, 7, 8, 90, 9}, "");
  seeds.put("past_store_fuzz", "raw", {0}, Bytes(300));
  seeds.put(fuzzer, "index", {4}, std::string_view("SQLite format 3\0", 16));
  seeds.put(fuzzer, "index-valid", {5}, "");
  seeds.put(fuzzer, "index-other-version", {5, 0, 63, 1}, "");
  seeds.put(fuzzer, "index-changed", {5, 12, 9, 200, 32, 0, 0, 79, 255, 7}, "");
}

}  // namespace sealcam::fuzz
