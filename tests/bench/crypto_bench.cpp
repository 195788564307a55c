// SPDX-License-Identifier: Apache-2.0
// Measures the time of the camera's and the hub's cryptography on this machine.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "crypto/cose.hpp"
#include "crypto/hpke.hpp"
#include "crypto/sframe.hpp"

using namespace sealcam;
using namespace sealcam::crypto;

namespace {

template <class T>
T must(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s\n", to_string(result.error()).c_str());
  std::exit(1);
}

/// Calls `work` for one second and prints the median time of a call.
template <class Work>
void measure(const char* name, Work work) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> ms;
  for (const auto end = Clock::now() + std::chrono::seconds(1); Clock::now() < end;) {
    const auto start = Clock::now();
    work();
    ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  std::ranges::sort(ms);
  const auto median = ms[ms.size() / 2];
  std::printf("%-34s %8.4f ms  %9.0f/s   best %8.4f   p95 %8.4f\n", name, median, 1000 / median, ms.front(),
              ms[ms.size() * 95 / 100]);
}

/// Prints the total number of calls per second with `threads` threads.
template <class Work>
void measure_threads(const char* name, unsigned threads, Work work) {
  std::atomic<unsigned long> calls{0};
  {
    std::vector<std::jthread> running;
    for (unsigned t = 0; t < threads; ++t)
      running.emplace_back([&](const std::stop_token& stop) {
        for (; !stop.stop_requested(); ++calls) work();
      });
    std::this_thread::sleep_for(std::chrono::seconds(2));
  }
  std::printf("%-34s %21.0f/s   %u threads\n", name, static_cast<double>(calls) / 2, threads);
}

void measure_sframe(sframe::CipherSuite suite, std::size_t size, const char* seal, const char* open) {
  auto sealing = must(sframe::SealingKey::open(suite, sframe::KeyId(1), {}));
  const auto opening = must(sframe::OpeningKey::open(suite, sframe::KeyId(1), {}));
  const Bytes plaintext(size), metadata(150);
  Bytes sealed(sealing.sealed_size(size) + 8), opened(sealed.size());
  MutableBytes message;
  measure(seal, [&] { message = must(sealing.seal(sealed, metadata, plaintext)); });
  measure(open, [&] { must(opening.open(opened, metadata, message)); });
}

}  // namespace

int main() {
  if (!init()) return 1;
  const auto device = must(VolatileDevice::generate());
  const auto keys = device.keys();
  const auto verifier = must(Verifier::open(keys.identity.public_key()));
  const auto suite4 = sframe::CipherSuite::aes_128_gcm_sha256_128;
  const auto suite5 = sframe::CipherSuite::aes_256_gcm_sha512_128;
  measure_sframe(suite4, 8 * 1024, "SFrame suite 4 seal, 8 KiB", "SFrame suite 4 open, 8 KiB");
  measure_sframe(suite4, 145 * 1024, "SFrame suite 4 seal, 145 KiB", "SFrame suite 4 open, 145 KiB");
  measure_sframe(suite5, 145 * 1024, "SFrame suite 5 seal, 145 KiB", "SFrame suite 5 open, 145 KiB");

  const Bytes frame(145 * 1024), aad(120);
  measure("SHA-256 before signing, 145 KiB", [&] { must(cose::to_be_signed({}, aad, frame)); });
  const auto digest = must(cose::to_be_signed({}, aad, frame));
  const auto signature = must(keys.identity.sign(digest));
  measure("ES256 sign", [&] { must(keys.identity.sign(digest)); });
  measure("ES256 verify", [&] {
    if (!verifier.verify(digest, signature)) std::exit(1);
  });
  for (unsigned threads = 1; threads <= std::max(2U, std::thread::hardware_concurrency()); threads *= 2)
    measure_threads("ES256 verify, one handle", threads, [&] {
      if (!verifier.verify(digest, signature)) std::exit(1);
    });
  measure("Verifier::open", [&] { must(Verifier::open(keys.identity.public_key())); });
  const auto grant = must(hpke::seal(keys.hpke.public_key(), {}, aad));
  measure("HPKE seal", [&] { must(hpke::seal(keys.hpke.public_key(), {}, aad)); });
  measure("HPKE open", [&] { must(hpke::open(keys.hpke, grant.enc, {}, grant.ciphertext)); });
}
