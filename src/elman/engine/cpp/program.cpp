#include "program.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "kernels.h"

namespace elman {
namespace {

constexpr int VERSION = 1;
constexpr int HEADER = 32;  // its size in ints

// What stands where in the header. Of a table it is the offset; the number of its records comes right after it.
namespace header {
constexpr int version = 0, purpose = 1, H = 2, P = 3;
constexpr int parameters = 4, states = 6, vectors = 8, operands = 10, segments = 12, weight_gradients = 14;
constexpr int slots = 16, temps = 17, fulls = 18, rows = 19;
constexpr int tape = 20, tape_p = 21, tape_row = 22, grad = 23, grad_p = 24, overlay = 25;
constexpr int extras = 26, products = 27, operations = 29, pool = 31;
}  // namespace header

// The sizes of the records of the tables, in ints.
namespace record {
constexpr int parameters = 4, states = 4, vectors = 3, operands = 4;
constexpr int segments = 8, weight_gradients = 5, products = 4, operations = 8;
}  // namespace record

constexpr int FILL = 24;  // the one operation with a single immediate

// The flat arrays, every access checked.
class Reader {
public:
    Reader(const int32_t* ints, i64 count, const double* reals, i64 real_count)
        : ints(ints), count(count), reals(reals), real_count(real_count) {}

    int at(i64 place) const {
        check(place >= 0 && place < count, "it ends too early");
        return ints[place];
    }
    int pool(i64 place) const { return at(at(header::pool) + place); }
    double real(int place) const {
        if (place < 0) return 0;
        check(place < real_count, "an immediate is missing");
        return reals[place];
    }
    static void check(bool right, const char* what) {
        if (!right)
            throw std::invalid_argument(std::string("This is not a program of the native engine: ") + what + ".");
    }
    static Width width(int code) {
        check(code >= 0 && code <= 3, "a width is unknown");
        return Width(code);
    }

private:
    const int32_t* ints;
    i64 count;
    const double* reals;
    i64 real_count;
};

// Calls f with the place of each record of the table whose offset and number stand at `table`.
template <class F>
void records(const Reader& in, int table, int ints, const F& f) {
    for (int i = 0; i < in.at(table + 1); ++i) f(in.at(table) + i64(i) * ints);
}

ProductSource source(const Reader& in, i64& place, int number) {
    ProductSource it{in.pool(place) == 1, in.pool(place + 1), in.pool(place + 2), {}, number};
    const int blocks = in.pool(place + 3);
    for (int i = 0; i < blocks; ++i) it.blocks.push_back(in.pool(place + 4 + i));
    place += 4 + blocks;
    return it;
}

Product product(const Reader& in, i64 at, int& sources) {
    Product it{in.at(at), in.at(at + 1), {}, 1};
    i64 place = in.at(at + 3);
    for (int i = 0; i < in.at(at + 2); ++i) it.sources.push_back(source(in, place, sources++));
    return it;
}

Instruction instruction(const Reader& in, i64 at) {
    Instruction it{in.at(at), {}, 0, 0};
    Reader::check(it.code >= 0 && it.code < OPERATIONS, "an operation is unknown");
    for (int i = 0; i < 6; ++i) it.operands[i] = in.at(at + 1 + i);
    const int reals = in.at(at + 7);
    if (reals >= 0) {
        it.k0 = in.real(reals);
        it.k1 = it.code == FILL ? 0 : in.real(reals + 1);
    }
    return it;
}

std::vector<Instruction> instructions(const Reader& in, i64 first, int count) {
    std::vector<Instruction> all;
    for (int i = 0; i < count; ++i)
        all.push_back(instruction(in, in.at(header::operations) + (first + i) * record::operations));
    return all;
}

void note(std::vector<int>& operands, int operand) {
    if (operand >= 0 && std::find(operands.begin(), operands.end(), operand) == operands.end())
        operands.push_back(operand);
}

Segment segment(const Reader& in, i64 at, int& sources) {
    Segment it{Reader::width(in.at(at)), {}, {}, {}, {}};
    for (int i = 0; i < in.at(at + 2); ++i)
        it.products.push_back(
            product(in, in.at(header::products) + i64(in.at(at + 1) + i) * record::products, sources));
    it.row_operations = instructions(in, in.at(at + 3), in.at(at + 4));
    it.operations = instructions(in, in.at(at + 5), in.at(at + 6));
    for (const Product& p : it.products) {
        note(it.operands, p.out);
        note(it.operands, p.init);
        for (const ProductSource& s : p.sources) note(it.operands, s.a);
    }
    for (const Instruction& op : it.operations)
        for (int operand : op.operands) note(it.operands, operand);
    return it;
}

VectorSum vector_sum(const Reader& in, i64 at) {
    VectorSum it{Reader::width(in.at(at)), {}};
    for (int i = 0; i < in.at(at + 1); ++i) {
        const i64 place = in.at(at + 2) + i64(i) * 2;
        it.terms.push_back({in.pool(place), in.pool(place + 1)});
    }
    return it;
}

WeightGradient weight_gradient(const Reader& in, i64 at) {
    WeightGradient it{in.at(at), in.at(at + 1), {}, in.at(at + 4)};
    for (int i = 0; i < in.at(at + 2); ++i) it.blocks.push_back(in.pool(in.at(at + 3) + i));
    return it;
}

void check_operands(const Program& p) {
    const int count = int(p.operands.size());
    for (const Segment& s : p.segments) {
        for (int operand : s.operands) Reader::check(operand < count, "an operand is missing");
        for (const Instruction& op : s.row_operations)
            for (int operand : op.operands) Reader::check(operand < count, "an operand is missing");
    }
    for (const Operand& operand : p.operands)
        Reader::check(int(operand.kind) >= 0 && operand.kind < Kind::count, "an operand's kind is unknown");
}

// Whether nothing but the gradient of the input is left of a segment: without that it need not be run.
bool makes_only_input_gradient(const Program& p, const Segment& segment) {
    const auto passes = [&](int operand) {
        const Kind kind = p.operands[size_t(operand)].kind;
        return kind == Kind::dinput || kind == Kind::slot || kind == Kind::temp;
    };
    return segment.width == Width::input && segment.row_operations.empty() &&
           std::all_of(segment.products.begin(), segment.products.end(),
                       [&](const Product& it) { return passes(it.out); }) &&
           std::all_of(segment.operations.begin(), segment.operations.end(),
                       [&](const Instruction& it) { return passes(it.operands[0]); });
}

// Whether a product can be joined to the one before it.
bool joins(const Program& p, const Product& before, const Product& it) {
    const auto operand = [&](int number) { return p.operands[size_t(number)]; };
    const auto row = [&](const ProductSource& source) { return p.parameters[size_t(source.parameter)].row; };
    const auto begins = [&](const Product& product) {
        return product.init < 0 || operand(product.init).kind == Kind::vector;
    };
    const Operand left = operand(before.out), right = operand(it.out);
    return left.kind == Kind::slot && right.kind == Kind::slot && right.index == left.index + 1 &&
           (before.init < 0) == (it.init < 0) && begins(before) && begins(it) &&
           std::equal(before.sources.begin(), before.sources.end(), it.sources.begin(), it.sources.end(),
                      [&](const ProductSource& a, const ProductSource& b) {
                          return a.a == b.a && !a.transposed && !b.transposed && row(a) == row(b);
                      });
}

void join(const Program& p, std::vector<Product>& products) {
    for (size_t first = 0, i = 1; i < products.size(); ++i) {
        if (joins(p, products[i - 1], products[i])) products[i].joined = 0, ++products[first].joined;
        else first = i;
    }
}

}  // namespace

Program::Program(const int32_t* ints, i64 count, const double* reals, i64 real_count) {
    const Reader in(ints, count, reals, real_count);
    Reader::check(count >= HEADER && in.at(header::version) == VERSION, "its version is another");
    kind = in.at(header::purpose);
    hidden = in.at(header::H);
    output = in.at(header::P);
    slots = in.at(header::slots), temps = in.at(header::temps);
    fulls = in.at(header::fulls), row_scalars = in.at(header::rows);
    tape_blocks = in.at(header::tape), tape_output_blocks = in.at(header::tape_p);
    tape_rows = in.at(header::tape_row);
    grad_blocks = in.at(header::grad), grad_output_blocks = in.at(header::grad_p);
    overlay = in.at(header::overlay) != 0;
    extras = in.at(header::extras);
    records(in, header::parameters, record::parameters, [&](i64 at) {
        const bool matrix = in.at(at) == 2;
        parameters.push_back({in.at(at), Reader::width(in.at(at + 1)), in.at(at + 2),
                              matrix ? Reader::width(in.at(at + 3)) : Width::one});
    });
    records(in, header::states, record::states, [&](i64 at) {
        states.push_back({Reader::width(in.at(at)), in.at(at + 1) != 0, in.at(at + 2) != 0, in.at(at + 3) != 0});
    });
    records(in, header::vectors, record::vectors, [&](i64 at) { vectors.push_back(vector_sum(in, at)); });
    records(in, header::operands, record::operands,
            [&](i64 at) { operands.push_back({Kind(in.at(at)), in.at(at + 1), Reader::width(in.at(at + 2))}); });
    records(in, header::segments, record::segments, [&](i64 at) { segments.push_back(segment(in, at, sources)); });
    records(in, header::weight_gradients, record::weight_gradients,
            [&](i64 at) { weight_gradients.push_back(weight_gradient(in, at)); });
    check_operands(*this);
    for (Segment& segment : segments) join(*this, segment.products);
    for (Segment& segment : segments) segment.only_input_gradient = makes_only_input_gradient(*this, segment);
    for (Segment& segment : segments)
        for (const Product& product : segment.products)
            for (const ProductSource& source : product.sources)
                segment.gathers |= operands[size_t(source.a)].kind != Kind::input;
}

bool Program::reduces() const {
    const auto sum = [](const Operand& it) { return it.kind == Kind::dextra && it.width == Width::one; };
    return row_scalars > 0 || tape_rows > 0 || std::any_of(operands.begin(), operands.end(), sum);
}

bool Program::products_wait() const {
    const auto is = [&](int operand, Kind of_kind) {
        return operand >= 0 && operands[size_t(operand)].kind == of_kind;
    };
    for (const Segment& segment : segments)
        for (const Product& product : segment.products) {
            if (is(product.out, Kind::carry) || is(product.init, Kind::carry) || is(product.init, Kind::previous))
                return true;
            for (const ProductSource& source : product.sources)
                if (is(source.a, Kind::previous)) return true;
        }
    return false;
}

Range Program::segments_with(Kind of_kind, int index) const {
    Range found{0, 0};
    for (i64 i = 0; i < i64(segments.size()); ++i) {
        const std::vector<int>& named = segments[size_t(i)].operands;
        const bool here = std::any_of(named.begin(), named.end(), [&](int operand) {
            const Operand& it = operands[size_t(operand)];
            return it.kind == of_kind && it.index == index;
        });
        if (here) found = {found.size() == 0 ? i : found.begin, i + 1};
    }
    return found;
}

std::vector<int> Program::joined() const {
    std::vector<int> all;
    for (const Segment& segment : segments)
        for (const Product& product : segment.products) all.push_back(product.joined);
    return all;
}

i64 Program::size(Width width, i64 inputs) const {
    switch (width) {
        case Width::hidden: return hidden;
        case Width::output: return output;
        case Width::input: return inputs;
        default: return 1;
    }
}

}  // namespace elman
