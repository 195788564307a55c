// SPDX-License-Identifier: Apache-2.0
// usage: make_corpus FOLDER
// Writes FOLDER/<fuzzer>/<name> for each fuzzer. The seeds are messages and files that Sealcam's own code writes. Keys
// and contents are constant (parties.hpp). Signatures, sealed grants and TLS keys are random, so their files change
// with each run.
#include <cstdio>

#include "corpus_parts.hpp"
#include "parties.hpp"

using namespace sealcam;
using namespace sealcam::fuzz;

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_corpus FOLDER\n");
    return 2;
  }
  (void)parties();  // initializes the crypto library
  Seeds seeds(argv[1]);
  sframe_seeds(seeds);
  cbor_seeds(seeds);
  cose_seeds(seeds);
  control_seeds(seeds);
  inspector_seeds(seeds);
  frame_seeds(seeds);
  state_seeds(seeds);
  name_seeds(seeds);
  json_seeds(seeds);
  pem_seeds(seeds);
  publish_seeds(seeds);
  web_seeds(seeds);
  h264_seeds(seeds);
  watcher_seeds(seeds);
  pairing_seeds(seeds);
  recording_seeds(seeds);
  std::printf("%zu seeds, %zu bytes\n", seeds.count(), seeds.bytes());
}
