# cython: language_level=3
"""The fast path from tensors to a kernel and back.

For a row of a few scores a kernel takes less time than `Tensor.numpy` or `torch.from_numpy`. Through the
exchange interface of DLPack, functions of C tell where the memory of a tensor is, and make a tensor of
memory that is somebody else's. Nothing is checked here for the words of an error: what is not plainly
good goes the careful path.
"""

cimport numpy as cnp
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

import torch
from torch.autograd import forward_ad

from lucid._kernels.machine cimport current_threads
from lucid.losses.solving import are_constant
from lucid.torch.dlpack cimport (
    DLManagedTensorVersioned, DLPackExchangeAPI, DLTensor, kDLBool, kDLCPU, kDLFloat, kDLInt, kDLUInt,
)

cdef extern from "Python.h":
    bint Py_IsInitialized() nogil

cnp.import_array()

cdef enum:
    MOST_AXES = 2
    SERIAL = 1 << 15        # scores, of which fewer are always worked on by one thread

# Tensors without a behaviour of their own.
cdef tuple PLAIN = (torch.Tensor, torch.nn.Parameter)

cdef object transforms = torch._C._functorch.peek_interpreter_stack
cdef object modes = torch._C._len_torch_dispatch_stack
cdef object jit_traces = torch._C._is_tracing
cdef object is_grad_enabled = torch.is_grad_enabled
cdef object get_num_threads = torch.get_num_threads

cdef const DLPackExchangeAPI* api = NULL        # an older PyTorch does not have it


def _find_api():
    global api
    cdef const DLPackExchangeAPI* found
    capsule = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)
    if capsule is not None:
        found = <const DLPackExchangeAPI*>PyCapsule_GetPointer(capsule, "dlpack_exchange_api")
        if found.version.major == 1 and found.dltensor_from_py_object_no_sync != NULL:
            api = found


_find_api()


cdef int numpy_type(int code, int bits) noexcept:
    """Return the number of a dtype, -1 for one that is not known here."""
    if code == kDLFloat:
        return (cnp.NPY_FLOAT32 if bits == 32 else cnp.NPY_FLOAT64 if bits == 64
                else cnp.NPY_FLOAT16 if bits == 16 else -1)
    if code == kDLInt:
        return (cnp.NPY_INT64 if bits == 64 else cnp.NPY_INT32 if bits == 32
                else cnp.NPY_INT16 if bits == 16 else cnp.NPY_INT8 if bits == 8 else -1)
    if code == kDLUInt and bits == 8:
        return cnp.NPY_UINT8
    return cnp.NPY_BOOL if code == kDLBool and bits == 8 else -1


cpdef array_at(tensor):
    """Return a tensor's array, or None if it takes a closer look; see the `.pyi`."""
    cdef DLTensor found
    cdef cnp.npy_intp shape[MOST_AXES]
    cdef cnp.npy_intp strides[MOST_AXES]
    cdef int dtype, itemsize, k
    if api == NULL or type(tensor) not in PLAIN:
        return None
    try:
        api.dltensor_from_py_object_no_sync(<void*>tensor, &found)
    except (BufferError, RuntimeError):         # it has no memory, for one
        return None
    dtype, itemsize = numpy_type(found.dtype.code, found.dtype.bits), found.dtype.bits // 8
    if (found.device.device_type != kDLCPU or found.data == NULL or dtype < 0 or found.dtype.lanes != 1
            or found.ndim > MOST_AXES or found.dtype.code == kDLFloat and tensor.is_neg()):
        return None
    for k in range(found.ndim):
        shape[k], strides[k] = found.shape[k], found.strides[k] * itemsize
    array = cnp.PyArray_New(<type>cnp.ndarray, found.ndim, shape, dtype, strides,
                            <char*>found.data + found.byte_offset, itemsize, cnp.NPY_ARRAY_WRITEABLE, None)
    cnp.set_array_base(array, tensor)           # which keeps the memory
    return array


cdef struct Loan:           # an array that a tensor has the memory of
    DLManagedTensorVersioned managed
    int64_t shape[MOST_AXES]
    int64_t strides[MOST_AXES]


cdef void end_loan(DLManagedTensorVersioned* managed) noexcept nogil:
    if Py_IsInitialized():
        with gil:
            Py_DECREF(<object>managed.manager_ctx)
    free(managed)


cpdef tensor_at(cnp.ndarray array):
    """Return an array as a tensor; see the `.pyi`."""
    cdef Loan* loan
    cdef DLTensor* tensor
    cdef void* made
    cdef int k, dtype = cnp.PyArray_TYPE(array)
    if api == NULL or dtype not in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64) or array.ndim > MOST_AXES:
        return torch.from_numpy(array)
    loan = <Loan*>malloc(sizeof(Loan))
    if loan == NULL:
        raise MemoryError("no memory for a tensor")
    loan.managed.version.major, loan.managed.version.minor, loan.managed.flags = 1, 0, 0
    loan.managed.manager_ctx, loan.managed.deleter = <void*>array, end_loan
    Py_INCREF(array)
    tensor = &loan.managed.dl_tensor
    tensor.data, tensor.byte_offset = cnp.PyArray_DATA(array), 0
    tensor.device.device_type, tensor.device.device_id = kDLCPU, 0
    tensor.dtype.code, tensor.dtype.bits, tensor.dtype.lanes = kDLFloat, 8 * cnp.PyArray_ITEMSIZE(array), 1
    tensor.ndim, tensor.shape, tensor.strides = array.ndim, loan.shape, loan.strides
    for k in range(array.ndim):
        loan.shape[k] = array.shape[k]
        loan.strides[k] = array.strides[k] // cnp.PyArray_ITEMSIZE(array)
    api.managed_tensor_to_py_object_no_sync(&loan.managed, &made)
    result = <object>made
    Py_DECREF(result)       # the reference that came with it
    return result


cpdef bint is_unwatched(x):
    """Whether a tensor is on the CPU, and nobody watches what becomes of it but autograd."""
    return (
        type(x) in PLAIN
        and x.is_cpu
        and transforms() is None
        and not modes()
        and forward_ad._current_level < 0
        and not jit_traces()
    )


def solved_fast(loss, x, target, reduction, options, curved):
    """Return the loss of a tensor and its gradient or None, or None for both; see the `.pyi`."""
    cdef bint want_gradient
    if not is_unwatched(x) or options and not are_constant(options):
        return None
    want_gradient = x.requires_grad and is_grad_enabled()
    if want_gradient and curved is not None and curved(options):
        return None
    scores, labels = array_at(x), array_at(target)
    if scores is None or labels is None or (
            cnp.PyArray_SIZE(scores) >= SERIAL and get_num_threads() != current_threads()):
        return None
    found = loss.fast_path.solve(scores, labels, reduction, None, options, want_gradient)
    if found is None:
        return None
    value, gradient = found
    return tensor_at(value), tensor_at(gradient) if want_gradient else None
