# cython: language_level=3
"""The parts of DLPack 1.3 (dlpack.h) that are needed to see a tensor's memory, and to give some away."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from *:
    """
    #include <stdint.h>

    typedef struct { uint32_t major, minor; } DLPackVersion;
    typedef struct { int32_t device_type, device_id; } DLDevice;
    typedef struct { uint8_t code, bits; uint16_t lanes; } DLDataType;

    typedef struct {
        void *data;
        DLDevice device;
        int32_t ndim;
        DLDataType dtype;
        int64_t *shape, *strides;       /* strides in entries */
        uint64_t byte_offset;
    } DLTensor;

    typedef struct DLManagedTensorVersioned {
        DLPackVersion version;
        void *manager_ctx;
        void (*deleter)(struct DLManagedTensorVersioned *self);
        uint64_t flags;
        DLTensor dl_tensor;
    } DLManagedTensorVersioned;

    typedef struct DLPackExchangeAPI {
        DLPackVersion version;
        void *prev_api;
        void *managed_tensor_allocator;
        void *managed_tensor_from_py_object_no_sync;
        int (*managed_tensor_to_py_object_no_sync)(DLManagedTensorVersioned *tensor, void **object);
        int (*dltensor_from_py_object_no_sync)(void *object, DLTensor *tensor);
        void *current_work_stream;
    } DLPackExchangeAPI;
    """
    ctypedef struct DLPackVersion:
        uint32_t major, minor

    ctypedef struct DLDevice:
        int32_t device_type, device_id

    ctypedef struct DLDataType:
        uint8_t code, bits
        uint16_t lanes

    ctypedef struct DLTensor:
        void* data
        DLDevice device
        int32_t ndim
        DLDataType dtype
        int64_t* shape
        int64_t* strides
        uint64_t byte_offset

    ctypedef struct DLManagedTensorVersioned:
        DLPackVersion version
        void* manager_ctx
        void (*deleter)(DLManagedTensorVersioned*) noexcept nogil
        uint64_t flags
        DLTensor dl_tensor

    ctypedef struct DLPackExchangeAPI:
        DLPackVersion version
        int (*managed_tensor_to_py_object_no_sync)(DLManagedTensorVersioned*, void**) except -1
        int (*dltensor_from_py_object_no_sync)(void*, DLTensor*) except -1

cdef enum:
    kDLCPU = 1
    kDLInt = 0
    kDLUInt = 1
    kDLFloat = 2
    kDLBool = 6
