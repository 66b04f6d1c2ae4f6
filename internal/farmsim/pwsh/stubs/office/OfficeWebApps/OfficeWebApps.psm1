# The module of Office Online Server.

. (Join-Path -Path $PSScriptRoot -ChildPath '../../model.ps1')

function Get-OfficeWebAppsFarm {
    [CmdletBinding()]
    param()
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

function Get-OfficeWebAppsMachine {
    [CmdletBinding()]
    param()
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

function Set-OfficeWebAppsFarm {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'Medium')]
    param(
        [switch] $Force,
        [Parameter(Position = 0)] [string] $FarmOU,
        [Parameter(Position = 1)] [string] $InternalURL,
        [Parameter(Position = 2)] [string] $ExternalURL,
        [switch] $AllowHttp,
        [switch] $AllowOutboundHttp,
        [switch] $SSLOffloaded,
        [Parameter(Position = 3)] [string] $CertificateName,
        [Parameter(Position = 4)] [string] $S2SCertificateName,
        [switch] $EditingEnabled,
        [Parameter(Position = 5)] [string] $Proxy,
        [Parameter(Position = 6)] [string] $LogLocation,
        [Parameter(Position = 7)] [uint32] $LogRetentionInDays,
        [Parameter(Position = 8)] [string] $LogVerbosity,
        [Parameter(Position = 9)] [string] $CacheLocation,
        [Parameter(Position = 10)] [int] $MaxMemoryCacheSizeInMB,
        [Parameter(Position = 11)] [uint32] $DocumentInfoCacheSize,
        [Parameter(Position = 12)] [int] $CacheSizeInGB,
        [switch] $ClipartEnabled,
        [switch] $OnlinePictureEnabled,
        [switch] $OnlineVideoEnabled,
        [switch] $TranslationEnabled,
        [Parameter(Position = 13)] [int] $MaxTranslationCharacterCount,
        [Parameter(Position = 14)] [string] $TranslationServiceAppId,
        [Parameter(Position = 15)] [string] $TranslationServiceAddress,
        [Parameter(Position = 16)] [string] $RenderingLocalCacheLocation,
        [Parameter(Position = 17)] [uint32] $RecycleActiveProcessCount,
        [switch] $AllowCEIP,
        [switch] $OfficeAddinEnabled,
        [Parameter(Position = 18)] [int] $ExcelRequestDurationMax,
        [Parameter(Position = 19)] [int] $ExcelSessionTimeout,
        [Parameter(Position = 20)] [int] $ExcelWorkbookSizeMax,
        [Parameter(Position = 21)] [int] $ExcelPrivateBytesMax,
        [Parameter(Position = 22)] [int] $ExcelConnectionLifetime,
        [Parameter(Position = 23)] [int] $ExcelExternalDataCacheLifetime,
        [switch] $ExcelAllowExternalData,
        [switch] $ExcelUseEffectiveUserName,
        [switch] $ExcelWarnOnDataRefresh,
        [switch] $ExcelUdfsAllowed,
        [Parameter(Position = 24)] [int] $ExcelMemoryCacheThreshold,
        [Parameter(Position = 25)] [int] $ExcelUnusedObjectAgeMax,
        [switch] $ExcelCachingUnusedFiles,
        [switch] $ExcelAbortOnRefreshOnOpenFail,
        [Parameter(Position = 26)] [int] $ExcelAutomaticVolatileFunctionCacheLifeTime,
        [Parameter(Position = 27)] [int] $ExcelConcurrentDataRequestsPerSessionMax,
        [Parameter(Position = 28)] [object] $ExcelDefaultWorkbookCalcMode,
        [switch] $ExcelRestExternalDataEnabled,
        [Parameter(Position = 29)] [int] $ExcelChartAndImageSizeMax,
        [switch] $OpenFromUrlEnabled,
        [switch] $OpenFromUncEnabled,
        [switch] $OpenFromUrlThrottlingEnabled,
        [switch] $PicturePasteDisabled,
        [switch] $RemovePersonalInformationFromLogs,
        [switch] $AllowHttpSecureStoreConnections
    )
    process { Invoke-Cmdlet -Cmdlet $PSCmdlet -Bound $PSBoundParameters }
}

Export-ModuleMember -Function *-OfficeWebApps*
