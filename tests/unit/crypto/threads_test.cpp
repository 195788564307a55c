// SPDX-License-Identifier: Apache-2.0
// Many threads use PSA in one process: shared handles, and handles that are created and destroyed at the same time.
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <thread>
#include <vector>

#include "crypto/hpke.hpp"
#include "crypto/sframe.hpp"

using namespace sealcam;
using namespace sealcam::crypto;

namespace {

constexpr unsigned threads = 4;

/// Runs `work(thread, round)` on all threads at once. Returns the number of failures.
template <class Work>
unsigned long failures(int rounds, Work work) {
  std::atomic<unsigned long> failed{0};
  std::atomic<bool> go{false};
  {
    std::vector<std::jthread> running;
    for (unsigned t = 0; t < threads; ++t)
      running.emplace_back([&, t] {
        while (!go) std::this_thread::yield();
        for (int i = 0; i < rounds; ++i)
          if (!work(t, i)) ++failed;
      });
    go = true;
  }
  return failed;
}

}  // namespace

TEST_CASE("several threads can call init at the same time") {
  CHECK(failures(1, [](unsigned, int) { return init().has_value(); }) == 0);
}

TEST_CASE("all threads can use one Verifier and one SigningKey") {
  REQUIRE(init());
  const auto device = VolatileDevice::generate();
  REQUIRE(device);
  const auto keys = device->keys();
  const auto verifier = Verifier::open(keys.identity.public_key());
  REQUIRE(verifier);
  CHECK(failures(150, [&](unsigned t, int i) {
          Digest digest{};
          digest[0] = static_cast<std::byte>(t);
          digest[1] = static_cast<std::byte>(i);
          const auto signature = keys.identity.sign(digest);
          if (!signature || !verifier->verify(digest, *signature)) return false;
          auto bad = *signature;
          bad[5] ^= std::byte{1};
          const auto r = verifier->verify(digest, bad);
          return !r && r.error().code == Errc::bad_signature;
        }) == 0);
}

TEST_CASE("threads can create and destroy keys while others verify") {
  REQUIRE(init());
  const auto device = VolatileDevice::generate();
  REQUIRE(device);
  const auto keys = device->keys();
  const auto signature = keys.identity.sign(Digest{});
  REQUIRE(signature);
  const auto shared = Verifier::open(keys.identity.public_key());
  REQUIRE(shared);
  CHECK(failures(150, [&](unsigned t, int) {
          if (t % 2 == 0) return shared->verify(Digest{}, *signature).has_value();
          const auto own = Verifier::open(keys.identity.public_key());
          return own && own->verify(Digest{}, *signature);
        }) == 0);
}

TEST_CASE("all threads can use one OpeningKey while each one seals with its own key") {
  REQUIRE(init());
  const auto suite = sframe::CipherSuite::aes_128_gcm_sha256_128;
  const auto opening = sframe::OpeningKey::open(suite, sframe::KeyId(9), {});
  REQUIRE(opening);
  const auto hub = VolatileDevice::generate();
  REQUIRE(hub);
  CHECK(failures(100, [&](unsigned t, int i) {
          auto sealing = sframe::SealingKey::open(suite, sframe::KeyId(9), {});
          if (!sealing) return false;
          const Bytes plaintext(2000, static_cast<std::byte>(t * 31 + static_cast<unsigned>(i)));
          Bytes sealed(sealing->sealed_size(plaintext.size())), out(sealed.size());
          const auto message = sealing->seal(sealed, {}, plaintext);
          if (!message) return false;
          const auto opened = opening->open(out, {}, *message);
          if (!opened || !equal(*opened, plaintext)) return false;
          if (i % 10 != 0) return true;
          const auto grant = hpke::seal(hub->keys().hpke.public_key(), {}, plaintext);
          if (!grant) return false;
          const auto content = hpke::open(hub->keys().hpke, grant->enc, {}, grant->ciphertext);
          return content && *content == plaintext;
        }) == 0);
}
