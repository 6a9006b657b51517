// How the neurons of a network are divided: into tiles, which are updated together and rest together, and blocks of
// tiles, which belong to one task each.
#pragma once

#include <algorithm>
#include <cstdint>

#include "rows.hpp"

namespace animat {

// Also what a source draws for at a time.
constexpr uint32_t tile_size = 1024;
// Rings are longer than the longest delay by a slice, so slices are bounded.
constexpr int64_t longest_slice = 64;

// Neurons in a block: few enough that no thread is idle, and what 16 bits can tell apart.
inline uint32_t block_size(uint64_t neurons, int threads) {
    const uint64_t fair = neurons / (static_cast<uint64_t>(std::max(threads, 1)) * 6) + 1;
    const uint64_t tiles = std::clamp<uint64_t>((fair + tile_size - 1) / tile_size, 4, most_in_block / tile_size);
    return static_cast<uint32_t>(tiles * tile_size);
}

}  // namespace animat
