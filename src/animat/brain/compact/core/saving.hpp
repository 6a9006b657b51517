// The state in a file: everything that changes while the network runs, but sources; in an order that knows nothing of
// blocks.
#pragma once

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "plasticity.hpp"
#include "rings.hpp"

namespace animat {

// Either writes what it is given or replaces it by what it reads.
class StateFile {
  public:
    const bool saving;

    StateFile(const std::string &path, bool saving_)
        : saving(saving_), file_(std::fopen(path.c_str(), saving_ ? "wb" : "rb")) {
        if (!file_) throw std::runtime_error("cannot open " + path);
    }
    ~StateFile() {
        if (file_) std::fclose(file_);
    }
    StateFile(const StateFile &) = delete;
    StateFile &operator=(const StateFile &) = delete;

    void exchange_raw(void *data, size_t bytes) {
        if (!bytes) return;
        if (saving && std::fwrite(data, 1, bytes, file_) != bytes) throw std::runtime_error("the disk is full");
        if (!saving && std::fread(data, 1, bytes, file_) != bytes) throw std::runtime_error("the file is cut off");
    }

    template <class T>
    void exchange(T &value) {
        exchange_raw(&value, sizeof value);
    }

    template <class T>
    void exchange(std::vector<T> &values) {
        uint64_t size = values.size();
        exchange(size);
        values.resize(size);
        exchange_raw(values.data(), size * sizeof(T));
    }

    void close() {
        FILE *const file = file_;
        file_ = nullptr;
        if (std::fclose(file)) throw std::runtime_error("the disk is full");
    }

  private:
    FILE *file_;
};

// What the file must agree with: its kind, the precision, and populations.
template <class Real>
void exchange_head(StateFile &file, const Brain<Real> &brain) {
    std::vector<uint64_t> head = {0x63746970d0a1, 1, sizeof(Real), brain.populations.size()};
    for (const auto &p : brain.populations) head.insert(head.end(), {p.size, p.state.size()});
    std::vector<uint64_t> found = head;
    file.exchange_raw(found.data(), found.size() * sizeof(uint64_t));
    if (found != head) throw std::runtime_error("it is no state of this network, or of another version");
}

template <class Real>
void exchange_memories(StateFile &file, Brain<Real> &brain, const Population<Real> &p) {
    uint32_t remembered = 0;
    for (const int place : p.blocks) remembered = std::max(remembered, brain.blocks[place].remembered);
    file.exchange(remembered);
    for (const int place : p.blocks) {
        Block<Real> &block = brain.blocks[place];
        if (file.saving)
            while (block.remembered < remembered) lengthen(block);
        block.remembered = remembered;
        block.times.resize(size_t(block.count) * remembered);
        block.traces.resize(size_t(block.count) * remembered);
    }
    const auto each = [&](auto Block<Real>::*values) {
        for (const int place : p.blocks) {
            auto &mine = brain.blocks[place].*values;
            file.exchange_raw(mine.data(), mine.size() * sizeof(mine[0]));
        }
    };
    each(&Block<Real>::latest);
    each(&Block<Real>::earlier);
    each(&Block<Real>::number_of);
    each(&Block<Real>::times);
    each(&Block<Real>::traces);
}

template <class Real>
void exchange_population(StateFile &file, Brain<Real> &brain, Population<Real> &p) {
    for (auto &state : p.state) file.exchange(state);
    file.exchange(p.refractory);
    file.exchange(p.current);
    file.exchange(p.tiles);
    file.exchange(p.slots);
    file.exchange(p.has_currents);
    p.ring.resize(p.receptors + p.has_currents);
    for (auto &ring : p.ring) file.exchange(ring);
    if (p.longest + brain.slice > p.slots) lay_out(brain, p);
    p.longest = p.slots - brain.slice;
    if (p.memory) exchange_memories(file, brain, p);
}

template <class Real>
void exchange_weights(StateFile &file, Projection<Real> &p) {
    file.exchange(p.last);
    file.exchange(p.trace);
    for (uint32_t source = 0; source < p.last.size(); ++source)
        for (auto &rows : p.wiring.blocks) {
            const uint32_t count = rows.count[source];
            if (count) file.exchange_raw(rows.data[source] + p.wiring.format.weights_at(count), count * sizeof(Real));
        }
}

template <class Real>
void exchange_all(StateFile &file, Brain<Real> &brain) {
    prepare(brain);
    exchange_head(file, brain);
    file.exchange(brain.now);
    for (auto &p : brain.populations) exchange_population(file, brain, p);
    for (auto &projection : brain.projections)
        if (projection->plastic) exchange_weights(file, *projection);
    brain.spiked.clear();
    brain.spiked_at.clear();
}

}  // namespace animat
