// Synapses in compressed source-ordered form: for every source a row of targets, and what differs between its synapses.
#pragma once

#include <sys/mman.h>

#include <bit>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace animat {

// Targets are counted within a block of neurons that 16 bits can tell apart.
constexpr uint32_t most_in_block = 65536;

// Memory for rows, taken in large pieces and given back as a whole.
class Arena {
  public:
    Arena() = default;
    Arena(const Arena &) = delete;
    Arena &operator=(const Arena &) = delete;
    ~Arena() {
        for (const auto &piece : pieces_) munmap(piece.first, piece.second);
    }

    uint8_t *take(size_t bytes) {
        bytes = (bytes + 7) & ~size_t(7);
        if (bytes > left_) grow(bytes);
        uint8_t *const found = next_;
        next_ += bytes;
        left_ -= bytes;
        return found;
    }

  private:
    static constexpr size_t piece_bytes = size_t(1) << 22;

    void grow(size_t bytes) {
        const size_t size = bytes > piece_bytes ? (bytes + piece_bytes - 1) / piece_bytes * piece_bytes : piece_bytes;
        void *const found = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (found == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
        madvise(found, size, MADV_HUGEPAGE);
#endif
        pieces_.emplace_back(found, size);
        next_ = static_cast<uint8_t *>(found);
        left_ = size;
    }

    std::vector<std::pair<void *, size_t>> pieces_;
    uint8_t *next_ = nullptr;
    size_t left_ = 0;
};

// How the weights of a projection are held.
enum class Stored { once, half, single, twice };

constexpr size_t weight_bytes(Stored stored) {
    return stored == Stored::once ? 0 : stored == Stored::half ? 2 : stored == Stored::single ? 4 : 8;
}

// Where in a row what lies: targets, then weights, then delays.
struct Format {
    Stored weights = Stored::once;
    bool delays = false;

    size_t weights_at(uint32_t count) const { return (2 * size_t(count) + 7) & ~size_t(7); }
    size_t delays_at(uint32_t count) const {
        return weights_at(count) + ((weight_bytes(weights) * count + 7) & ~size_t(7));
    }
    size_t bytes(uint32_t count) const { return delays_at(count) + (delays ? 2 * size_t(count) : 0); }
};

// The rows of one projection onto one block.
struct Rows {
    std::vector<uint32_t> count;
    std::vector<uint8_t *> data;

    explicit Rows(size_t sources) : count(sources), data(sources) {}

    uint16_t *targets(size_t source) const { return reinterpret_cast<uint16_t *>(data[source]); }
};

inline float from_half(uint16_t h) {
    const uint32_t low = h & 0x7fff;
    const float magnitude =
        low < 0x400 ? static_cast<float>(low) * 0x1p-24f : std::bit_cast<float>((low << 13) + (112u << 23));
    return h & 0x8000 ? -magnitude : magnitude;
}

// Rounded to the nearest, ties to even; what is too large becomes the largest.
inline uint16_t to_half(float x) {
    const uint32_t bits = std::bit_cast<uint32_t>(x), sign = (bits >> 16) & 0x8000;
    const float scaled = std::bit_cast<float>(bits & 0x7fffffffu) * 0x1p-112f;
    const uint32_t magnitude = std::bit_cast<uint32_t>(scaled);
    const uint32_t rounded = (magnitude + 0x0fff + ((magnitude >> 13) & 1)) >> 13;
    return static_cast<uint16_t>(sign | (rounded > 0x7bff ? 0x7bff : rounded));
}

}  // namespace animat
