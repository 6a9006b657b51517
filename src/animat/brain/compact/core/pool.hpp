// Threads that carry out numbered tasks, whoever is free the next one.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace animat {

class Pool {
  public:
    explicit Pool(int threads) : size_(threads < 1 ? 1 : threads) {
        for (int thread = 1; thread < size_; ++thread) helpers_.emplace_back([this, thread] { help(thread); });
    }

    ~Pool() {
        ending_ = true;
        round_.fetch_add(1);
        round_.notify_all();
        for (auto &helper : helpers_) helper.join();
    }

    Pool(const Pool &) = delete;
    Pool &operator=(const Pool &) = delete;

    int size() const { return size_; }

    // The part of the present tasks that somebody has taken.
    double fraction() const {
        const size_t count = count_.load();
        return count ? std::min(1.0, static_cast<double>(next_.load()) / static_cast<double>(count)) : 0;
    }

    // Call work(task, thread) for tasks 0 .. count - 1; returns when all are done, and throws what the first threw.
    void run(size_t count, const std::function<void(size_t, int)> &work) {
        count_ = count;
        next_ = 0;
        if (size_ == 1 || count == 1) {
            for (size_t task = 0; task < count; ++task, ++next_) work(task, 0);
            return;
        }
        work_ = &work;
        failure_ = nullptr;
        busy_.store(size_ - 1);
        round_.fetch_add(1);
        round_.notify_all();
        carry_out(0);
        for (int looks = 0; busy_.load() != 0; ++looks)
            if (looks > spins) std::this_thread::yield();
        if (failure_) std::rethrow_exception(failure_);
    }

  private:
    static constexpr int spins = 4000;

    void carry_out(int thread) {
        try {
            for (size_t task; (task = next_.fetch_add(1)) < count_;) (*work_)(task, thread);
        } catch (...) {
            std::scoped_lock lock(mutex_);
            if (!failure_) failure_ = std::current_exception();
            next_ = count_.load();
        }
    }

    void help(int thread) {
        unsigned seen = 0;
        while (true) {
            for (int looks = 0; round_.load() == seen && looks < spins; ++looks) {
            }
            round_.wait(seen);
            ++seen;
            if (ending_) return;
            carry_out(thread);
            busy_.fetch_sub(1);
        }
    }

    int size_;
    std::vector<std::thread> helpers_;
    const std::function<void(size_t, int)> *work_ = nullptr;
    std::atomic<size_t> count_{0};
    std::atomic<size_t> next_{0};
    std::atomic<int> busy_{0};
    std::atomic<unsigned> round_{0};
    std::atomic<bool> ending_{false};
    std::mutex mutex_;
    std::exception_ptr failure_;
};

}  // namespace animat
