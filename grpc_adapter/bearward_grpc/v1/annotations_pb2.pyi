from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Access(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCESS_UNSPECIFIED: _ClassVar[Access]
    ACCESS_PUBLIC: _ClassVar[Access]
    ACCESS_AUTHENTICATED: _ClassVar[Access]
    ACCESS_OPTIONAL: _ClassVar[Access]
ACCESS_UNSPECIFIED: Access
ACCESS_PUBLIC: Access
ACCESS_AUTHENTICATED: Access
ACCESS_OPTIONAL: Access
DEFAULT_RULE_FIELD_NUMBER: _ClassVar[int]
default_rule: _descriptor.FieldDescriptor
RULE_FIELD_NUMBER: _ClassVar[int]
rule: _descriptor.FieldDescriptor

class Rule(_message.Message):
    __slots__ = ("access", "scopes", "any_scopes", "claims", "acr_values", "max_age", "rights", "issuers", "actors", "authorization_details", "not_delegated", "sender_constrained")
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    ANY_SCOPES_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    ACR_VALUES_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_FIELD_NUMBER: _ClassVar[int]
    RIGHTS_FIELD_NUMBER: _ClassVar[int]
    ISSUERS_FIELD_NUMBER: _ClassVar[int]
    ACTORS_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_DETAILS_FIELD_NUMBER: _ClassVar[int]
    NOT_DELEGATED_FIELD_NUMBER: _ClassVar[int]
    SENDER_CONSTRAINED_FIELD_NUMBER: _ClassVar[int]
    access: Access
    scopes: _containers.RepeatedScalarFieldContainer[str]
    any_scopes: _containers.RepeatedScalarFieldContainer[str]
    claims: _containers.RepeatedCompositeFieldContainer[Claim]
    acr_values: _containers.RepeatedScalarFieldContainer[str]
    max_age: int
    rights: _containers.RepeatedScalarFieldContainer[str]
    issuers: _containers.RepeatedScalarFieldContainer[str]
    actors: _containers.RepeatedScalarFieldContainer[str]
    authorization_details: _containers.RepeatedCompositeFieldContainer[AuthorizationDetail]
    not_delegated: bool
    sender_constrained: bool
    def __init__(self, access: _Optional[_Union[Access, str]] = ..., scopes: _Optional[_Iterable[str]] = ..., any_scopes: _Optional[_Iterable[str]] = ..., claims: _Optional[_Iterable[_Union[Claim, _Mapping[str, object]]]] = ..., acr_values: _Optional[_Iterable[str]] = ..., max_age: _Optional[int] = ..., rights: _Optional[_Iterable[str]] = ..., issuers: _Optional[_Iterable[str]] = ..., actors: _Optional[_Iterable[str]] = ..., authorization_details: _Optional[_Iterable[_Union[AuthorizationDetail, _Mapping[str, object]]]] = ..., not_delegated: bool = ..., sender_constrained: bool = ...) -> None: ...

class Claim(_message.Message):
    __slots__ = ("name", "values")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    name: str
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...

class AuthorizationDetail(_message.Message):
    __slots__ = ("type", "members")
    class Member(_message.Message):
        __slots__ = ("name", "values")
        NAME_FIELD_NUMBER: _ClassVar[int]
        VALUES_FIELD_NUMBER: _ClassVar[int]
        name: str
        values: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, name: _Optional[str] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...
    TYPE_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    type: str
    members: _containers.RepeatedCompositeFieldContainer[AuthorizationDetail.Member]
    def __init__(self, type: _Optional[str] = ..., members: _Optional[_Iterable[_Union[AuthorizationDetail.Member, _Mapping[str, object]]]] = ...) -> None: ...
