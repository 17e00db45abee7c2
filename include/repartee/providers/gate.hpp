#pragma once
#include "repartee/providers/roles.hpp"

#include <chrono>
#include <cstddef>

namespace repartee::providers {

/// Lets at most `places` holders in at once; others wait in the order they came. Thread-safe: holders may run on different executors.
class Gate {
    struct State;
    struct Ticket;

public:
    /// The right to be inside; leaving is its destruction. May outlive the gate.
    class Pass {
    public:
        Pass() = default;  ///< holds nothing
        ~Pass();
        Pass(Pass&&) noexcept = default;
        Pass& operator=(Pass&&) = delete;
        void swap(Pass& other) noexcept { state_.swap(other.state_); }

    private:
        friend class Gate;
        explicit Pass(std::shared_ptr<State> state);
        std::shared_ptr<State> state_;
    };

    explicit Gate(std::size_t places);
    /// Code::busy when no place came free within `limit`, Code::cancelled at once when `stop` is requested.
    Task<Pass> enter(Stop stop, std::chrono::milliseconds limit);

private:
    std::shared_ptr<State> state_;
};

}  // namespace repartee::providers
